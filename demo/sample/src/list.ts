/** The shopping list itself: what to buy, what it costs, and what is already in the basket. */

export interface Item {
  readonly id: number;
  readonly name: string;
  /** In cents; 0 where nobody knows it yet. */
  readonly price: number;
  readonly bought: boolean;
}

export const LONGEST_NAME = 60;
export const HIGHEST_PRICE = 999_99;
export const MOST_ITEMS = 100;

/** What was entered cannot go on the list; the message tells the person why. */
export class Refused extends Error {}

export class ShoppingList {
  #items: readonly Item[] = [];
  #nextId = 1;

  /** In the order in which they were added. */
  get items(): readonly Item[] {
    return this.#items;
  }

  get bought(): number {
    return this.#items.filter((item) => item.bought).length;
  }

  /** In cents. */
  get total(): number {
    return this.#items.reduce((sum, item) => sum + item.price, 0);
  }

  add(name: string, price = 0): Item {
    const tidy = name.trim().replace(/\s+/g, " ");
    if (tidy === "") {
      throw new Refused("Please say what to buy.");
    }
    if (tidy.length > LONGEST_NAME) {
      throw new Refused(`Please use at most ${LONGEST_NAME} characters.`);
    }
    if (!Number.isInteger(price) || price < 0 || price > HIGHEST_PRICE) {
      throw new Refused("Please enter a price from 0 to 999.99.");
    }
    if (this.#items.length >= MOST_ITEMS) {
      throw new Refused(`The list is full: ${MOST_ITEMS} items.`);
    }
    const item: Item = { id: this.#nextId++, name: tidy, price, bought: false };
    this.#items = [...this.#items, item];
    return item;
  }

  /** An item that somebody has removed meanwhile is fine. */
  setBought(id: number, bought: boolean): void {
    this.#items = this.#items.map((item) => (item.id === id ? { ...item, bought } : item));
  }

  /** An item that is gone already is fine. */
  remove(id: number): void {
    this.#items = this.#items.filter((item) => item.id !== id);
  }

  removeBought(): void {
    this.#items = this.#items.filter((item) => !item.bought);
  }
}
