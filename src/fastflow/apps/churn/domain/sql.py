"""What SQL over the churn database finds there beside its tables: macros for months, and views that read results."""

import re
from collections.abc import Mapping

from .ledger import SCORES, SCORES_SQL

_INDEX = "({0} // 100 * 12 + {0} % 100 - 1)"
_OF_INDEX = "({0} // 12 * 100 + {0} % 12 + 1)"
_ADDED = f"({_INDEX.format('m')} + n)"
MACROS: Mapping[str, str] = {
    "year_of": "year_of(m) AS m // 100",
    "month_of": "month_of(m) AS m % 100",
    "month_add": f"month_add(m, n) AS {_OF_INDEX.format(_ADDED)}",
    "months_between": f"months_between(m, later) AS {_INDEX.format('later')} - {_INDEX.format('m')}",
    "month_in": "month_in(m, first_month, last_month) AS m BETWEEN first_month AND last_month",
    "month_date": "month_date(m) AS make_date(CAST(m // 100 AS BIGINT), CAST(m % 100 AS BIGINT), 1)",
    "month_from": "month_from(d) AS year(d) * 100 + month(d)",
}
"""Name -> definition. A month is YYYYMM: month_add(202411, 3) is 202502, months_between(202411, 202502) is 3."""

SHIPPED_VIEWS: Mapping[str, str] = {
    "cox_survival_enhanced": (
        "SELECT s.*, p.* EXCLUDE (experiment_id, Kunde) FROM cox_survival AS s "
        "LEFT JOIN cox_prioritization_results AS p USING (experiment_id, Kunde)"
    ),
    "customer_risk_profile": (
        "SELECT c.*, p.* EXCLUDE (experiment_id, Kunde) FROM customer_churn_details AS c "
        "LEFT JOIN cox_prioritization_results AS p USING (experiment_id, Kunde)"
    ),
    "cox_performance_summary": (
        "SELECT e.experiment_id, e.experiment_name, e.status, m.metric, m.value FROM experiments AS e "
        "JOIN cox_analysis_metrics AS m USING (experiment_id)"
    ),
    SCORES: SCORES_SQL,
}
"""Name -> SELECT; each is there once the tables that it reads are."""

LONGEST_VIEW_NAME = 63
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def is_view_name(name: str) -> bool:
    """Whether a view may have this name."""
    return len(name) <= LONGEST_VIEW_NAME and bool(_NAME.fullmatch(name))
