// The privacy reminder without a connection: the same as core/journey/reminder.py, by the same data.

const WORD = /\p{L}[\p{L}\p{M}]*/gu;
const FLAGS = 20;

export function flags(text, lexicon) {
  const tokens = text.match(WORD)?.map((word) => word.toLowerCase()) ?? [];
  const words = text.match(WORD) ?? [];
  const found = [];
  for (let place = 0; place < tokens.length && found.length < FLAGS;) {
    const [length, topic] = longest(tokens.slice(place, place + 6), lexicon);
    if (topic) found.push({ word: words.slice(place, place + length).join(" "), label: topic.label });
    place += Math.max(1, length);
  }
  return found;
}

function longest(tokens, lexicon) {
  let best = [0, null];
  for (const topic of lexicon.topics) {
    for (const phrase of topic.words) {
      const wanted = phrase.split(" ");
      if (wanted.length > best[0] && wanted.length <= tokens.length && wanted.every((word, i) => fits(tokens[i], word)))
        best = [wanted.length, topic];
    }
  }
  return best;
}

function fits(token, wanted) {
  return wanted.endsWith("*") ? token.startsWith(wanted.slice(0, -1)) : token === wanted;
}
