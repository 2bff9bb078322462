import assert from "node:assert/strict";
import { test } from "node:test";
import { cents, euro } from "./money.js";

for (const [text, amount] of [
  ["", 0],
  ["2", 200],
  ["2.4", 240],
  ["2,40", 240],
  [" 0.05 ", 5],
] as const) {
  test(`${JSON.stringify(text)} is ${amount} cents`, () => {
    assert.equal(cents(text), amount);
  });
}

for (const text of ["free", "-1", "1.234", "1e3", "."]) {
  test(`${JSON.stringify(text)} is no price`, () => {
    assert.ok(Number.isNaN(cents(text)));
  });
}

test("amounts are written in euro", () => {
  assert.equal(euro(240), "€2.40");
  assert.equal(euro(123_456), "€1,234.56");
});
