/** Money as people write it, and as the list counts it: in cents. */

const EURO = new Intl.NumberFormat("en-IE", { style: "currency", currency: "EUR" });

/** `"2.4"` and `"2,40"` are 240, `""` is 0; what is no price is `NaN`. */
export function cents(text: string): number {
  const trimmed = text.trim();
  if (trimmed === "") {
    return 0;
  }
  const match = /^(\d+)(?:[.,](\d{1,2}))?$/.exec(trimmed);
  if (match === null) {
    return Number.NaN;
  }
  const [, whole = "", fraction = ""] = match;
  return Number(whole) * 100 + Number(fraction.padEnd(2, "0"));
}

/** 240 is `"€2.40"`. */
export function euro(amount: number): string {
  return EURO.format(amount / 100);
}
