// Each item by how many were right and how well it tells good candidates from weak ones.
// The table below says the same without a script.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("[data-chart=item-scatter]").forEach((place) => {
    const source = document.getElementById(place.dataset.source);
    if (!source || !window.echarts) return;
    const data = JSON.parse(source.textContent);
    if (!data.points.length) return;
    place.hidden = false;
    place.classList.add("is-drawn");
    const chart = window.echarts.init(place);
    const series = (flagged, symbol, color) => ({
      type: "scatter",
      symbol,
      symbolSize: 10,
      itemStyle: { color },
      data: data.points.filter((point) => point[3] > 0 === flagged),
    });
    chart.setOption({
      animation: false,
      grid: { left: 8, right: 24, top: 32, bottom: 32, containLabel: true },
      tooltip: { renderMode: "richText", formatter: ({ value }) => `${value[2]}\n${data.x} ${value[0]}\n${data.y} ${value[1]}` },
      xAxis: { type: "value", min: 0, max: 1, name: data.x, nameLocation: "middle", nameGap: 28 },
      yAxis: { type: "value", min: -1, max: 1, name: data.y, nameTextStyle: { align: "left" } },
      series: [series(false, "circle", "#0b5394"), series(true, "triangle", "#b7791f")],
    });
    window.addEventListener("resize", () => chart.resize());
  });
});
