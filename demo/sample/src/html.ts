/** HTML that cannot be broken by what people type: every value in a template is escaped. */

export class Html {
  constructor(readonly text: string) {}
}

type Value = string | number | Html | readonly Html[];

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function render(value: Value): string {
  if (value instanceof Html) {
    return value.text;
  }
  if (typeof value === "object") {
    return value.map((part) => part.text).join("");
  }
  return String(value).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
}

/** A template tag: strings and numbers are escaped, `Html` and lists of it stand as they are. */
export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Html {
  return new Html(String.raw({ raw: parts }, ...values.map(render)));
}

export const NOTHING = html``;
