async function look() {
  const answer = await fetch('/api/berths');
  const berths = await answer.json();
  const free = berths.filter((berth) => berth.free).length;
  document.getElementById('free').textContent = `${free} of ${berths.length} berths are free.`;
}

document.getElementById('again').addEventListener('click', look);
look();
