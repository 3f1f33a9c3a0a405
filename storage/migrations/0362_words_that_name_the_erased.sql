-- Notes and tasks of others, or of nobody, may name in free text somebody who is erased. No job decides what a sentence
-- is about: it counts them while it still knows her name, and a person looks.

alter table erasure add column naming jsonb not null default '{}';
comment on column erasure.naming is 'By table how many rows that are not hers name her, and ids of the first; no word of hers.';
