"""The usage page for browsers: `page` serves it, `static/` is what a browser gets, as it stands.

The page is one HTML file, a style sheet and a few ES modules; there is no build step. Read the modules in this order:

1. `dashboard.js`   the page's state: whose usage, of which month; what is fetched when
2. `api.js`         calls Tollgate with the key, which no other module keeps
3. `tenant.js`      a tenant's month;  `sessions.js`: its open sessions;  `quote.js`: what will it cost
4. `operator.js`    all tenants of a month;  `report.js`: pages as one report;  `tenants.js`: the table of all
5. `days.js`        the days of either, on `chart.js`: bars, with a table behind them
6. `words.js`       the API's values in plain words;  `elements.js`: builds HTML without parsing any

`vendor/` holds what others made, unchanged, with its licence.
"""
