const dates = ['2027-02-14', '2027-05-30'];
const format = new Intl.DateTimeFormat('en', { dateStyle: 'full' });
const list = document.getElementById('dates');

for (const date of dates) {
  const item = document.createElement('li');
  item.textContent = format.format(Date.parse(date).toISOString());
  list.append(item);
}
