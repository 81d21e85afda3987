//! Results to ceiled scores, brain score, leaderboard, report
