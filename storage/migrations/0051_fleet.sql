-- Since when what an edge has to deliver grows, for the fleet page.

alter table edge add column backlog_growing_since timestamptz; -- null while it falls or is empty
comment on column edge.backlog_growing_since is 'Since when its backlog has not fallen and is more than it was then.';
