// A bar for each band of scores. The table below says the same without a script.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("[data-chart=histogram]").forEach((place) => {
    const source = document.getElementById(place.dataset.source);
    if (!source || !window.echarts) return;
    const data = JSON.parse(source.textContent);
    place.hidden = false;
    place.classList.add("is-drawn");
    const chart = window.echarts.init(place);
    chart.setOption({
      animation: false,
      grid: { left: 8, right: 16, top: 32, bottom: 8, containLabel: true },
      tooltip: { trigger: "axis", renderMode: "richText" },
      xAxis: { type: "category", data: data.names, axisLabel: { interval: 0, rotate: 40 } },
      yAxis: { type: "value", minInterval: 1, name: data.axis },
      series: [{ type: "bar", data: data.counts, itemStyle: { color: "#0b5394" }, label: { show: true, position: "top" } }],
    });
    window.addEventListener("resize", () => chart.resize());
  });
});
