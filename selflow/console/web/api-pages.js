// The page that shows the API, /docs: Swagger UI's files as its package brings them, with a start of
// our own that loads our document and asks no one else (its own validator would).
import { readFileSync } from "node:fs";
import { join } from "node:path";

const FILES = ["swagger-ui.css", "swagger-ui-bundle.js"];
const START = `SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  validatorUrl: null,
  supportedSubmitMethods: ["get"],
});
`;

/** Emits them below assets/swagger-ui-VERSION, which changes with them. */
export function apiPages(folder = join(import.meta.dirname, "node_modules/swagger-ui-dist")) {
  return {
    name: "api-pages",
    apply: "build",
    generateBundle() {
      const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf-8"));
      const emit = (name, source) =>
        this.emitFile({ type: "asset", fileName: `assets/swagger-ui-${version}/${name}`, source });
      for (const name of FILES) {
        const text = readFileSync(join(folder, name), "utf-8");
        emit(name, text.replace(/\n(?:\/\/|\/\*)# sourceMappingURL=.*$/m, "\n"));
      }
      emit("start.js", START);
      for (const name of ["LICENSE", "NOTICE"]) {
        emit(`${name}.txt`, readFileSync(join(folder, name), "utf-8"));
      }
    },
  };
}
