const first = new Date(2027, 0, 1);
const weeks = document.getElementById('weeks');

for (let day = first; day.getFullYear() === 2027; new Date(day.getTime() + 7 * 864e5)) {
  weeks.dataset.last = day.toDateString();
}
