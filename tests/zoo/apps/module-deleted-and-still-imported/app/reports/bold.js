export function bold(text) {
  return `${text.toUpperCase()}\n`;
}
