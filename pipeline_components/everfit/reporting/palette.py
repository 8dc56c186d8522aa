"""The colours of every page and drawing, as custom properties of CSS: one for light, one for dark.

They are roles, not hues: the same thing has the same colour everywhere. Series tell apart without
red and green, and in grey; text on its ground has a contrast of 4.5 or more.
"""

from __future__ import annotations

PALETTE_LIGHT = (
    "--paper:#f6f7f9;--surface:#fff;--ink:#1b2330;--soft:#556171;--line:#dfe4ea;"
    "--accent:#1f5fae;--second:#9a6700;--third:#6b7686;--pale:#d5e4f7;--track:#eaeef3;"
    "--good:#14713f;--good-tint:#e7f4ec;--warn:#8a5a00;--warn-tint:#fcf2dd;"
    "--bad:#b02a23;--bad-tint:#fbeae8;--calm:#4f5b6b;--calm-tint:#eceff3;"
)
PALETTE_DARK = (
    "--paper:#0f1318;--surface:#171d25;--ink:#e4e8ee;--soft:#9eaab9;--line:#2b343f;"
    "--accent:#7fb4f0;--second:#e2ae4a;--third:#8c98a8;--pale:#233d5c;--track:#252d38;"
    "--good:#66d49b;--good-tint:#14291f;--warn:#efbd62;--warn-tint:#2b2414;"
    "--bad:#ff958b;--bad-tint:#331b1b;--calm:#aab5c3;--calm-tint:#232b35;"
)
