// <div class="chart" data-chart="id-of-json-script"></div>: bars by day, one series a verdict.
// Without it the table beside the chart tells the same.
for (const place of document.querySelectorAll("[data-chart]")) {
  const data = JSON.parse(document.getElementById(place.dataset.chart).textContent);
  const chart = window.echarts.init(place, null, { renderer: "svg" });
  const colour = () => getComputedStyle(document.documentElement).getPropertyValue("--tblr-body-color");
  const draw = () => chart.setOption({
    animation: false,
    aria: { enabled: true },
    textStyle: { color: colour(), fontFamily: getComputedStyle(document.body).fontFamily },
    grid: { left: 8, right: 8, top: 36, bottom: 4, containLabel: true },
    legend: { top: 0, itemGap: 16, textStyle: { color: colour(), fontFamily: getComputedStyle(document.body).fontFamily } },
    // Rich text: the HTML form would need inline styles, which the page forbids.
    tooltip: { trigger: "axis", renderMode: "richText" },
    xAxis: { type: "category", data: data.days, axisLabel: { color: colour(), hideOverlap: true, fontFamily: getComputedStyle(document.body).fontFamily } },
    yAxis: { type: "value", minInterval: 1, axisLabel: { color: colour() } },
    series: data.series.map((s) => ({
      name: s.name, type: "bar", stack: "all", data: s.values, itemStyle: { color: s.colour }, barMaxWidth: 28,
    })),
  });
  draw();
  new ResizeObserver(() => chart.resize()).observe(place);
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
}
