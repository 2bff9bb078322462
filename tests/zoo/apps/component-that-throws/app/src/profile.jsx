export function Profile({ person }) {
  return <p>{person.name}, {person.address.city}</p>;
}
