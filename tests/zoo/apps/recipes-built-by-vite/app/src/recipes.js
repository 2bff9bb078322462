export const recipes = [
  { name: 'Pancakes', seconds: 1200 },
  { name: 'Lentil soup', seconds: 2700 },
];
