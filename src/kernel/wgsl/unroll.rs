//! Unrolled loops of `shaders/multiply.wgsl`, whose sums have to be variables to stay in registers.

/// Expands the template: a line with `$r` is repeated for each of `rows` rows, one with `$c` for each of `columns`
/// columns, one with `$q` or `$d` for each vector of four rows or columns. The marks become numbers; `$r.v` and `$c.v`
/// become the vector's number and the component, such as `1.x` for row 4. Comment lines are dropped.
pub(super) fn unrolled(text: &str, rows: usize, columns: usize) -> String {
    let mut lines: Vec<String> = text.lines().filter(|line| !line.starts_with("//")).map(str::to_owned).collect();
    for (mark, count) in [("$r", rows), ("$c", columns), ("$q", rows / 4), ("$d", columns / 4)] {
        lines = lines.iter().flat_map(|line| repeated(line, mark, count)).collect();
    }
    lines.join("\n") + "\n"
}

/// The copies of a line that a mark stands for; the line itself if it has no such mark.
fn repeated(line: &str, mark: &str, count: usize) -> Vec<String> {
    if !line.contains(mark) {
        return vec![line.to_owned()];
    }
    let component = |i: usize| format!("{}.{}", i / 4, ["x", "y", "z", "w"][i % 4]);
    let copy = |i: usize| line.replace(&format!("{mark}.v"), &component(i)).replace(mark, &i.to_string());
    (0..count).map(copy).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_become_numbers_and_components() {
        let text = "// A comment\nlet a_$q = a[$qu];\nsum_$r_$c += a_$r.v * b_$c.v;\nend\n";
        let lines = unrolled(text, 8, 4);
        let mut lines = lines.lines();
        assert_eq!(lines.next(), Some("let a_0 = a[0u];"));
        assert_eq!(lines.next(), Some("let a_1 = a[1u];"));
        assert_eq!(lines.next(), Some("sum_0_0 += a_0.x * b_0.x;"));
        assert_eq!(lines.clone().nth(5 * 4 + 2 - 1), Some("sum_5_2 += a_1.y * b_0.z;"));
        assert_eq!(lines.next_back(), Some("end"));
    }
}
