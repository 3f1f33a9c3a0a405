"""A whole chain: hundreds of stores over days, their people, radios, faults, members and orders, from one seed."""
