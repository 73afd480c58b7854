// The bars of completion by department. The table below them says the same without a script.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const place = document.querySelector("[data-chart=completion]");
  const source = document.getElementById("completion-data");
  if (!place || !source || !window.echarts) return;
  const data = JSON.parse(source.textContent);
  place.hidden = false;
  place.classList.add("is-drawn");
  const chart = window.echarts.init(place);
  chart.setOption({
    animation: false,
    grid: { left: 8, right: 16, top: 40, bottom: 8, containLabel: true },
    legend: { top: 0, left: 0 },
    tooltip: { trigger: "axis", renderMode: "richText", axisPointer: { type: "shadow" } },
    xAxis: { type: "value", minInterval: 1 },
    yAxis: { type: "category", inverse: true, data: data.departments.map((name) => name || data.none), axisLabel: { width: 110, overflow: "truncate" } },
    series: data.series.map((each) => ({ name: each.name, type: "bar", stack: "all", barMaxWidth: 28, itemStyle: { color: each.color }, data: each.values })),
  });
  window.addEventListener("resize", () => chart.resize());
});
