const assert = require('node:assert/strict');
const test = require('node:test');
const { withTax } = require('../price.js');

test('adds the tax', () => {
  assert.equal(withTax(100, 0.25), 125);
});

test('rounds to the nearest cent', () => {
  assert.equal(withTax(1.99, 0.19), 2.37);
});
