const assert = require('node:assert');
const test = require('node:test');
const { work } = require('./worker');

test('has nothing to do', () => {
  assert.deepEqual(work([]), []);
});
