-- Where items stand, by the weeks in which they stand there: a week whose figures were told keeps the items that it had,
-- because the same week under other items would tell of those who bought the items between.
alter table shelf_item
    add column from_week  date not null default '-infinity',  -- a Monday on the clocks of the store
    add column until_week date not null default 'infinity',   -- the first Monday on which it stands there no more
    drop constraint shelf_item_pkey,
    add primary key (store_no, product, from_week),
    add check (from_week < until_week);
