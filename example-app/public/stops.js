// The order of the tour. Each page ends with links to the next and to the previous page.

const stops = [
  ['/home/', 'The tour'],
  ['/echo/', 'Echo'],
  ['/echo/#websocket', 'Once'],
  ['/compare/', 'Four ways to be up to date'],
  ['/figures/', 'Live figures'],
  ['/job/', 'Progress of a job'],
  ['/log/', 'Live log'],
  ['/shell/', 'Bridge to a program'],
  ['/frames/', 'Image frames'],
  ['/quiz/', 'Timed wait'],
  ['/account/', 'Login required'],
  ['/notices/', 'A POST that pushes'],
  ['/chat/lobby/', 'Chat with rooms'],
  ['/home/#take-home', 'Use it in your app'],
];

/** Shows the links to the previous and the next page. Call it again when the page becomes another stop. */
export function showStops() {
  const at = findStop();
  if (at === -1) return;
  const foot = document.querySelector('nav.foot') ?? document.body.appendChild(makeFoot());
  const links = [
    makeLink('prev', '← Back: ', stops[at - 1]),
    makeLink('next', 'Next: ', stops[at + 1], ' →'),
  ];
  foot.replaceChildren(...links.filter(Boolean));
}

/** Returns the stop of this page, or -1. All rooms are the chat, and most anchors belong to the stop of their page. */
function findStop() {
  const path = location.pathname.startsWith('/chat/') ? '/chat/lobby/' : location.pathname;
  const exact = stops.findIndex(([href]) => href === path + location.hash);
  if (exact !== -1 && exact !== stops.length - 1) return exact;
  return stops.findIndex(([href]) => href === path);
}

function makeFoot() {
  const foot = document.createElement('nav');
  foot.className = 'foot';
  foot.ariaLabel = 'Tour';
  return foot;
}

function makeLink(rel, before, stop, after = '') {
  if (!stop) return null;
  const [href, name] = stop;
  const link = document.createElement('a');
  Object.assign(link, { rel, href, textContent: before + name + after });
  return link;
}
