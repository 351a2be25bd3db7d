// What the build does beside bundling: the licences of what ships, and compressed copies.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join, sep } from "node:path";
import { gzipSync } from "node:zlib";

const PACKAGE = /^(.*node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+)[\\/]/;
const COMPRESSED = /\.(?:js|css|html|svg|txt)$/;

function licenceText(folder) {
  const name = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
  return name ? readFileSync(join(folder, name), "utf-8").trim() : "";
}

/** Writes THIRD_PARTY_LICENSES.txt: every package of which a module is in the bundle, with its text. */
export function thirdPartyLicenses() {
  return {
    name: "third-party-licenses",
    apply: "build",
    generateBundle() {
      const folders = new Set();
      for (const id of this.getModuleIds()) {
        const match = PACKAGE.exec(id.replaceAll("\0", "").split("?")[0].replaceAll("/", sep));
        if (match) folders.add(match[1]);
      }
      const parts = [...folders].sort().map((folder) => {
        const { name, version, license } = JSON.parse(
          readFileSync(join(folder, "package.json"), "utf-8"),
        );
        return `${name} ${version} (${license})\n\n${licenceText(folder)}\n`;
      });
      const source = `The web page contains parts of these packages.\n\n${parts.join(
        `\n${"-".repeat(80)}\n\n`,
      )}`;
      this.emitFile({ type: "asset", fileName: "THIRD_PARTY_LICENSES.txt", source });
    },
  };
}

/** Puts NAME.gz beside each text file, so that the server compresses nothing itself. */
export function compressed() {
  return {
    name: "compressed",
    apply: "build",
    writeBundle({ dir }, bundle) {
      for (const name of Object.keys(bundle).filter((each) => COMPRESSED.test(each))) {
        const packed = gzipSync(readFileSync(join(dir, name)), { level: 9 });
        writeFileSync(join(dir, `${name}.gz`), packed);
      }
    },
  };
}
