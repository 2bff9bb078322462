function stop(code) {
  process.exit(code);
}

function work(jobs) {
  if (jobs.length === 0) stop(3);
  return jobs.map((job) => job * 2);
}

module.exports = { work };
