"""The planner: forecasts demand, decides who holds what, and says from whom to fetch it."""
