-- Whose look it is when a card opens in a frame: that of whoever made its ticket.

alter table card_ticket add column made_as jsonb;
comment on column card_ticket.made_as is
    'Who made it, as the audit says it: the look is entered with this. Without it a ticket opens nothing.';
