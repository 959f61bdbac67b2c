"""What a promotion has besides plain orders: sub-pools, rules, a routing plan, a clock, buyers who change things."""
