-- Days on which somebody was a customer who withdrew or was erased since: how many customers came, and how many of them had
-- been there before or elsewhere, as that was told until then. Counted from what is left, a comparison would tell of her.
create table customer_day (
    store_no  integer not null references store,
    day       date not null,               -- on the clocks of the store
    customers integer not null,            -- 1 stands for fewer than ten
    returned  integer not null,
    elsewhere integer not null,
    primary key (store_no, day)
);
comment on table customer_day is 'Customers of days that stand, because one of them withdrew or was erased.';
