const { due } = require('./invoice');

test('is due in thirty days', () => {
  expect(due('2027-03-01T12:00:00Z', 30)).toBe('2027-03-31');
});
