"""How a list of contacts did: what became of those on it, month by month, against the predictions that it was made of.

The scores are a view over the tables, not rows that somebody writes: as soon as a file with another month is taken in, that month
is there. Nobody tells the workbench who was contacted in the end: the list counts as contacted.
"""

CONTACTS = "cf_decision_ledger"
SCORES = "decision_ledger_scores"
SCORES_SQL = """
WITH decided AS (
  SELECT e.experiment_id, e.backtest_to, from_json(e.id_files, '["BIGINT"]') AS own_files,
    CAST(json_extract_string(r.report, '$.features_until') AS INTEGER) AS since,
    CAST(json_extract_string(e.hyperparameters, '$.customer_value') AS DOUBLE) AS customer_value,
    CAST(json_extract_string(e.hyperparameters, '$.success_rate') AS DOUBLE) AS success_rate,
    json_extract_string(e.hyperparameters, '$.outcome') AS outcome
  FROM experiments AS e JOIN experiment_results AS r ON r.experiment_id = e.experiment_id AND r.pipeline = 'cf'
), people AS (
  SELECT i.experiment_id, CAST(i.Kunde AS VARCHAR) AS customer, i.p_old, i.p_new, l.cost, l.Kunde IS NOT NULL AS is_listed
  FROM cf_individual AS i LEFT JOIN cf_decision_ledger AS l ON l.experiment_id = i.experiment_id AND l.Kunde = i.Kunde
), panels AS (
  SELECT DISTINCT d.experiment_id, f.file_id
  FROM decided AS d JOIN files AS mine ON list_contains(d.own_files, mine.file_id)
  JOIN files AS f ON f.dictionary = mine.dictionary
), states AS (
  SELECT p.experiment_id, p.customer, x.I_TIMEBASE AS outcome_month, arg_max(x.I_Alive, x.id_files) AS alive
  FROM people AS p JOIN decided AS d ON d.experiment_id = p.experiment_id
  JOIN panels AS o ON o.experiment_id = p.experiment_id
  JOIN rawdata AS x ON x.id_files = o.file_id AND CAST(x.Kunde AS VARCHAR) = p.customer AND x.I_TIMEBASE > d.since
  GROUP BY p.experiment_id, p.customer, x.I_TIMEBASE
), ends AS (
  SELECT experiment_id, customer, min(outcome_month) FILTER (alive = 0) AS died, max(outcome_month) AS seen
  FROM states GROUP BY experiment_id, customer
), months AS (
  SELECT DISTINCT experiment_id, outcome_month FROM states
), known AS (
  SELECT m.experiment_id, m.outcome_month, p.p_old, p.p_new, p.cost, p.is_listed, CASE d.outcome
      WHEN 'end' THEN coalesce(s.alive = 0, e.died <= m.outcome_month) ELSE coalesce(e.died <= m.outcome_month, false) END
    AS churned
  FROM months AS m JOIN decided AS d ON d.experiment_id = m.experiment_id
  JOIN people AS p ON p.experiment_id = m.experiment_id
  JOIN ends AS e ON e.experiment_id = m.experiment_id AND e.customer = p.customer
  LEFT JOIN states AS s
    ON s.experiment_id = m.experiment_id AND s.customer = p.customer AND s.outcome_month = m.outcome_month
  WHERE e.died <= m.outcome_month OR e.seen >= m.outcome_month
), counted AS (
  SELECT experiment_id, outcome_month,
    count(*) FILTER (is_listed) AS contacted, count(*) FILTER (is_listed AND churned) AS contacted_churned,
    coalesce(sum(p_old) FILTER (is_listed), 0) AS contacted_predicted,
    coalesce(sum(p_new) FILTER (is_listed), 0) AS contacted_predicted_if_changed,
    count(*) FILTER (NOT is_listed) AS others, count(*) FILTER (NOT is_listed AND churned) AS others_churned,
    coalesce(sum(p_old) FILTER (NOT is_listed), 0) AS others_predicted,
    coalesce(sum(cost) FILTER (is_listed), 0) AS cost,
    sqrt(coalesce(sum(p_old * (1 - p_old)) FILTER (is_listed), 0)) AS chance
  FROM known GROUP BY experiment_id, outcome_month
)
SELECT c.experiment_id, c.outcome_month, months_between(d.since, c.outcome_month) AS months_after,
  c.outcome_month = d.backtest_to AS is_whole_window,
  c.contacted, c.contacted_churned, c.contacted_predicted, c.contacted_predicted_if_changed,
  c.contacted_predicted - d.success_rate * (c.contacted_predicted - c.contacted_predicted_if_changed)
    AS contacted_predicted_if_contacted,
  c.others, c.others_churned, c.others_predicted,
  CASE WHEN c.outcome_month = d.backtest_to
    THEN (c.contacted_predicted - c.contacted_predicted_if_changed) * d.success_rate * d.customer_value - c.cost END
    AS expected_profit,
  CASE WHEN c.outcome_month = d.backtest_to
    THEN (c.contacted_predicted - c.contacted_churned) * d.customer_value - c.cost END AS realised_profit,
  CASE WHEN c.outcome_month = d.backtest_to THEN 1.96 * c.chance * d.customer_value END AS chance_of_that
FROM counted AS c JOIN decided AS d ON d.experiment_id = c.experiment_id
ORDER BY c.experiment_id, c.outcome_month
"""
"""`expected_profit` is by the rule of `method/decision.py`, over those whose state is known, so that it stands against `realised_profit`:
both are customers kept times their value, less the cost; expected are `success_rate` of those whom the change would keep.
Predictions are of the whole backtest window: profit is told at its last month alone, churn at every month that is known."""
