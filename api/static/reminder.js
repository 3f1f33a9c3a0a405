// The privacy reminder without a connection: the same as core/journey/reminder.py, by the same data.

const WORD = /\p{L}(?:[\u00ad\u200b-\u200d\u2060\ufeff]*[\p{L}\p{M}])*/gu;
const HIDDEN = /[\u00ad\u200b-\u200d\u2060\ufeff]+/gu;
const FLAGS = 20;
const PHRASE_WORDS = 6;

export function flags(text, lexicon) {
  const words = (text.match(WORD) ?? []).map((word) => word.replace(HIDDEN, ""));
  const tokens = words.map((word) => word.toLowerCase());
  const found = [];
  for (let place = 0; place < tokens.length && found.length < FLAGS;) {
    const [length, topic] = longest(tokens.slice(place, place + PHRASE_WORDS), lexicon);
    if (topic) found.push({ word: words.slice(place, place + length).join(" "), label: topic.label });
    place += Math.max(1, length);
  }
  return found;
}

// What passes is looked at first: among equally long phrases it counts.
function longest(tokens, lexicon) {
  let best = [0, null];
  for (const topic of [{ words: lexicon.passes, passes: true }, ...lexicon.topics]) {
    for (const phrase of topic.words) {
      const wanted = phrase.split(" ");
      if (wanted.length > best[0] && wanted.length <= tokens.length && wanted.every((word, i) => fits(tokens[i], word, lexicon)))
        best = [wanted.length, topic.passes ? null : topic];
    }
  }
  return best;
}

function fits(token, wanted, lexicon) {
  return wanted.startsWith("@") ? lexicon.groups[wanted.slice(1)].some((word) => is(token, word, lexicon)) : is(token, wanted, lexicon);
}

function is(token, word, lexicon) {
  const stem = word.slice(0, -1);
  if (word.endsWith("*")) return token.startsWith(stem);
  if (word.endsWith("~")) return token === stem || (token.startsWith(stem) && lexicon.endings.includes(token.slice(stem.length)));
  return token === word;
}
