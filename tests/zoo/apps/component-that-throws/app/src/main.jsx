import { createRoot } from 'react-dom/client';
import { Profile } from './profile.jsx';

const people = [{ name: 'Ada', address: { city: 'London' } }, { name: 'Grace' }];

createRoot(document.getElementById('root')).render(
  <main>
    <h1>Profiles</h1>
    {people.map((person) => <Profile key={person.name} person={person} />)}
  </main>,
);
