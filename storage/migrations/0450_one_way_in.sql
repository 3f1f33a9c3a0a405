-- Somebody logs in here or at the identity provider, never both: a password beside it would outlive the provider's no,
-- and skip the second step that the provider asks for. One that was chosen beside it ends, with its sessions.

delete from account_session
 where account_id in (select account_id from account where subject is not null
                         and num_nonnulls(password_hash, one_time_sha256) > 0);
delete from account_recovery where account_id in (select account_id from account where subject is not null);
update account
   set password_hash = null, one_time_sha256 = null, one_time_until = null, totp_secret = null, totp_step = 0
 where subject is not null and num_nonnulls(password_hash, one_time_sha256, totp_secret) > 0;
alter table account add constraint account_one_way_in
    check (subject is null or num_nonnulls(password_hash, one_time_sha256, totp_secret) = 0);
