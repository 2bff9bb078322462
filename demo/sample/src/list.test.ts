import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { LONGEST_NAME, MOST_ITEMS, Refused, ShoppingList } from "./list.js";

describe("a shopping list", () => {
  let list: ShoppingList;

  beforeEach(() => {
    list = new ShoppingList();
  });

  test("keeps items in the order in which they were added", () => {
    list.add("Bread");
    list.add("Milk");
    assert.deepEqual(names(list), ["Bread", "Milk"]);
  });

  test("tidies names", () => {
    assert.equal(list.add("  Olive \t oil ").name, "Olive oil");
  });

  test("adds up prices", () => {
    list.add("Bread", 480);
    list.add("Milk", 120);
    list.add("Something nice");
    assert.equal(list.total, 600);
  });

  test("costs nothing while it is empty", () => {
    assert.equal(list.total, 0);
  });

  test("puts items in the basket and takes them out again", () => {
    const bread = list.add("Bread");
    list.add("Milk");
    list.setBought(bread.id, true);
    assert.equal(list.bought, 1);
    list.setBought(bread.id, false);
    assert.equal(list.bought, 0);
  });

  test("removes what is in the basket and keeps the rest", () => {
    list.setBought(list.add("Bread").id, true);
    list.add("Milk");
    list.removeBought();
    assert.deepEqual(names(list), ["Milk"]);
  });

  test("never gives an id twice", () => {
    const bread = list.add("Bread");
    list.remove(bread.id);
    assert.notEqual(list.add("Milk").id, bread.id);
  });

  test("does not mind when an item is gone already", () => {
    list.add("Bread");
    list.remove(99);
    list.setBought(99, true);
    assert.deepEqual(names(list), ["Bread"]);
  });

  for (const [title, name, price] of [
    ["an empty name", "  ", 0],
    ["a very long name", "x".repeat(LONGEST_NAME + 1), 0],
    ["a negative price", "Bread", -1],
    ["a price beyond belief", "Bread", 100_000],
    ["a price that is no number", "Bread", Number.NaN],
  ] as const) {
    test(`refuses ${title}`, () => {
      assert.throws(() => list.add(name, price), Refused);
      assert.equal(list.items.length, 0);
    });
  }

  test("is full at some point", () => {
    for (let count = 0; count < MOST_ITEMS; count += 1) {
      list.add(`Item ${count}`);
    }
    assert.throws(() => list.add("One more"), /full/);
  });
});

function names(list: ShoppingList): string[] {
  return list.items.map((item) => item.name);
}
