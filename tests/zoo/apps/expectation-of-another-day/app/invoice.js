function due(issued, days) {
  const date = new Date(issued);
  date.setDate(date.getDate() + days - 1);
  return date.toISOString().slice(0, 10);
}

module.exports = { due };
