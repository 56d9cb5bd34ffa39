"""The table for people."""


def _cells(row):
    value, budget = row["value"], row.get("budget")
    base, over = row.get("sipp"), row.get("over_sipp")
    least = row.get("least")
    mark = "" if budget is None else "pass" if value <= budget else "over"
    if least is not None:
        mark = "pass" if value >= least else "under"
    spread = f"{row['low']:.3g}–{row['high']:.3g}" if row.get("runs", 1) > 1 else ""
    return [row["switch"], row["what"], f"{value:.3g} {row['unit']}", spread,
            "" if base is None else f"{base:.3g}", "" if over is None else f"{over:.2f}",
            f"≤ {budget:g}" if budget is not None else f"≥ {least:g}" if least is not None else "", mark, row.get("remark", "")]


HEAD = ["switch", "what", "median", "range", "SIPp's own", "× SIPp", "budget", "", ""]


def text(rows, notes):
    lines = [HEAD] + [_cells(r) for r in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    out = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    out.insert(1, "  ".join("─" * width for width in widths))
    return "\n".join(out + [""] + notes)
