-- Which item stands on which shelf, so that orders can be joined with how long a customer looked.
create table shelf_item (
    store_no integer not null references store,
    product  text not null,                -- as orders name it
    zone_no  smallint not null,
    primary key (store_no, product)
);
comment on table shelf_item is 'Where an item stands: the shelf that a customer looks at before it sells.';
