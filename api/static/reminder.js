// The privacy reminder without a connection: the same as core/journey/reminder.py, by the same data.

const DROPPED = /[\p{M}\u00ad\u200b-\u200d\u2060\ufeff]/u;
const LETTER = /\p{L}/u;
const FLAGS = 20;
const PHRASE_WORDS = 6;

export function flags(text, lexicon) {
  const [letters, places] = folded(text);
  const words = [...letters.matchAll(/[^ ]+/g)];
  const tokens = words.map(([token]) => token);
  const found = [];
  for (let place = 0; place < tokens.length && found.length < FLAGS;) {
    const [length, topic] = longest(tokens.slice(place, place + PHRASE_WORDS), lexicon);
    if (topic) {
      const last = words[place + length - 1];
      found.push({ word: text.slice(places[words[place].index], places[last.index + last[0].length]), label: topic.label });
    }
    place += Math.max(1, length);
  }
  return found;
}

// A text in small letters without accents, and where in the text each stands: one word has one spelling (NFKD without marks),
// all that is no letter is a space.
function folded(text) {
  let letters = "";
  let at = 0;
  const places = [];
  for (const sign of text) {
    const parts = DROPPED.test(sign) ? "" : LETTER.test(sign) ? sign.normalize("NFKD").toLowerCase() : " ";
    for (const part of parts) {
      if (part !== " " && !LETTER.test(part)) continue;
      letters += part;
      for (let unit = 0; unit < part.length; unit += 1) places.push(at);
    }
    at += sign.length;
  }
  return [letters, [...places, text.length]];
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
