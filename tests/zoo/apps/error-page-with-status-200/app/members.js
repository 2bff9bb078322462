const members = [{ name: 'Ada', joined: new Date(2021, 3, 1) }, { name: 'Grace' }];

function row(member) {
  return `<li>${member.name}, since ${member.joined.getFullYear()}</li>`;
}

exports.membersPage = () => `<!doctype html><html lang="en"><title>Members</title>
<h1>Members</h1><ul>${members.map(row).join('')}</ul></html>`;
