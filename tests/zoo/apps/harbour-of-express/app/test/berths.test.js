const assert = require('node:assert');
const test = require('node:test');
const { berths } = require('../berths');

test('one berth is free', () => {
  assert.equal(berths().filter((berth) => berth.free).length, 1);
});
