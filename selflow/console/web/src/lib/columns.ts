/** A column of a table: what is shown of a row, and by what it is sorted. */

export interface Column<Row> {
  title: string;
  cell: (row: Row) => string;
  /** Numbers stand at the end of their cell; the value sorts. */
  value?: (row: Row) => number | null;
  /** Names and times stay on one line. */
  isShort?: boolean;
  href?: (row: Row) => string | null;
}

/** Rows by a column, missing values last in both directions; a stable copy. */
export function sorted<Row>(
  rows: readonly Row[],
  column: Column<Row> | undefined,
  isDescending: boolean,
): Row[] {
  if (!column) return [...rows];
  const sign = isDescending ? -1 : 1;
  return [...rows].sort((left, right) => {
    if (!column.value) return sign * column.cell(left).localeCompare(column.cell(right));
    const [a, b] = [column.value(left), column.value(right)];
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    return sign * (a - b);
  });
}
