/** The one page of the application. */

import { html, NOTHING, type Html } from "./html.js";
import { HIGHEST_PRICE, LONGEST_NAME, type Item, type ShoppingList } from "./list.js";
import { euro } from "./money.js";

/** What was entered and could not be taken, and why. */
export interface Attempt {
  readonly name: string;
  readonly price: string;
  readonly problem: string;
}

export function page(list: ShoppingList, attempt?: Attempt): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>Shopping list</title>
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="description" content="What to buy, and what it will cost." />
        <meta name="color-scheme" content="light dark" />
        <link rel="icon" href="/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/style.css" />
        <script src="/script.js" type="module"></script>
      </head>
      <body>
        <main>
          <header>
            <h1>Shopping list</h1>
            ${summary(list)}
          </header>
          ${entry(attempt)}
          ${list.items.length > 0 ? items(list) : empty()}
        </main>
        <p class="unseen" role="status"></p>
      </body>
    </html>`.text;
}

function summary(list: ShoppingList): Html {
  const count = list.items.length;
  if (count === 0) {
    return NOTHING;
  }
  return html`<p id="summary">${list.bought} of ${count} in the basket</p>
    <progress aria-labelledby="summary" max="${count}" value="${list.bought}"></progress>`;
}

function entry(attempt?: Attempt): Html {
  const problem =
    attempt === undefined
      ? NOTHING
      : html`<p class="problem" id="problem" role="alert">${attempt.problem}</p>`;
  const invalid =
    attempt === undefined ? NOTHING : html`aria-invalid="true" aria-describedby="problem"`;
  return html`<form class="entry" method="post" action="/items">
    <p class="field wide">
      <label for="new">What do you need?</label>
      <input id="new" name="name" value="${attempt?.name ?? ""}" maxlength="${LONGEST_NAME}"
        required pattern=".*\\S.*" title="Something to buy" autocomplete="off"
        placeholder="Apples" ${invalid} />
    </p>
    <p class="field">
      <label for="price">Price in €</label>
      <input id="price" name="price" value="${attempt?.price ?? ""}" type="number" min="0"
        max="${HIGHEST_PRICE / 100}" step="0.01" inputmode="decimal" placeholder="0.00" />
    </p>
    <button class="main">Add</button>
    ${problem}
  </form>`;
}

function items(list: ShoppingList): Html {
  return html`<ul class="items" aria-label="Items">
      ${list.items.map(row)}
    </ul>
    <footer>
      <p class="total"><span>Total</span> <strong id="total">${euro(list.total)}</strong></p>
      ${list.bought > 0 ? emptyBasket() : NOTHING}
    </footer>`;
}

function row(item: Item): Html {
  return html`<li class="${item.bought ? "item bought" : "item"}">
    <form method="post" action="/items/${item.id}/bought">
      <button class="tick" id="tick-${item.id}" name="bought" value="${item.bought ? "no" : "yes"}"
        aria-pressed="${item.bought ? "true" : "false"}" aria-label="${item.name}, in the basket">
      </button>
    </form>
    <span class="name">${item.name}</span>
    <span class="price">${item.price > 0 ? euro(item.price) : "–"}</span>
    <form method="post" action="/items/${item.id}/remove">
      <button class="remove" aria-label="Remove ${item.name}">×</button>
    </form>
  </li>`;
}

function emptyBasket(): Html {
  return html`<form method="post" action="/bought/remove">
    <button class="quiet">Remove what is in the basket</button>
  </form>`;
}

function empty(): Html {
  return html`<p class="empty">Nothing to buy. Enjoy your day!</p>`;
}
