-- Notes are found whether their accents are typed or not: "Muller" finds "Müller", "strasse" finds "Straße".

create extension if not exists unaccent;
create text search configuration sojourn_english (copy = english);
alter text search configuration sojourn_english
    alter mapping for hword, hword_part, word with unaccent, english_stem;
comment on text search configuration sojourn_english is 'What notes are searched by: English stems, without accents.';
alter table note alter column words set expression as (to_tsvector('sojourn_english', subject || ' ' || detail));
