export function tidesAt(place) {
  return { place, high: '06:12', low: '12:30' };
}
