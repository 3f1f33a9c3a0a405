-- Gaps are kept as long as coverage and counts are. Which of them reach into an hour or a range of days is asked by
-- their end: without this index every gap there ever was would be read for each hour.

create index signal_gap_end on signal_gap (store_no, until_at);
