"""Charts as geometry: what is drawn stays within its picture and in proportion."""

from api.charts import flow_chart


def test_a_single_move_is_a_band_and_not_a_wall() -> None:
    one = flow_chart([(0, 1, 7.0)])
    assert one.height < 120
    many = flow_chart([(n, (n + 1) % 9, 5.0 + n) for n in range(9)])
    assert many.height <= 560
    for flow in (one, many):
        for nodes in (flow.left, flow.right):
            assert all(node.y >= 0 and node.y + node.height <= flow.height + 1e-6 for node in nodes)
