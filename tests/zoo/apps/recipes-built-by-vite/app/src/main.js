import { recipes } from './recipes.js';
import { minutes } from './format.js';

document.querySelector('#recipes').innerHTML = recipes
  .map((recipe) => `<li>${recipe.name}, ${minutes(recipe.seconds)}</li>`)
  .join('');
