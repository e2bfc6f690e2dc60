// Draws the curves. The rows are those of metrics.jsonl; everything else on the page is there without this script.
(() => {
  const rows = JSON.parse(document.getElementById('metrics').textContent);
  const palette = ['#1f6feb', '#d1495b', '#2a9d6f', '#8e5bd0', '#d98324', '#4a9fb5'];
  const style = getComputedStyle(document.documentElement);
  Chart.defaults.color = style.getPropertyValue('--soft').trim();
  Chart.defaults.borderColor = style.getPropertyValue('--line').trim();
  Chart.defaults.animation = false;
  Chart.defaults.maintainAspectRatio = false;

  // rewards/chosen and rewards/rejected share a chart, and so do a metric and its eval_ twin.
  const chartOf = (name) => {
    const plain = name.replace(/^eval_/, '');
    return plain.replace(/\/(chosen|rejected)$/, ': chosen and rejected');
  };
  const first = ['loss', 'rewards/accuracies', 'accuracy', 'rewards/margins', 'margin', 'rewards: chosen and rejected',
    'logps: chosen and rejected'];
  const rank = (title) => (first.indexOf(title) + first.length + 1) % (first.length + 1);

  const addCanvas = (section, title, label) => {
    const card = document.createElement('div');
    card.className = 'card';
    const heading = document.createElement('h3');
    heading.textContent = title;
    const holder = document.createElement('div');
    holder.className = 'chart';
    const canvas = document.createElement('canvas');
    canvas.setAttribute('role', 'img');
    canvas.setAttribute('aria-label', label);
    holder.append(canvas);
    card.append(heading, holder);
    section.append(card);
    return canvas;
  };

  for (const section of document.querySelectorAll('[data-stage]')) {
    const own = rows.filter((row) => row.stage === section.dataset.stage);
    const charts = new Map();
    for (const row of own) {
      for (const [name, value] of Object.entries(row.values)) {
        if (name === 'epoch') continue;
        const lines = charts.get(chartOf(name)) || charts.set(chartOf(name), new Map()).get(chartOf(name));
        const points = lines.get(name) || lines.set(name, []).get(name);
        points.push({x: row.step, y: value});
      }
    }
    const titles = [...charts.keys()].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
    for (const title of titles) {
      const canvas = addCanvas(section, title, title + ' by step');
      const lines = [...charts.get(title)].sort((a, b) => a[0].localeCompare(b[0]));
      new Chart(canvas, {
        type: 'line',
        data: {datasets: lines.map(([name, points], i) => ({
          label: name, data: points, borderColor: palette[i % palette.length], backgroundColor: palette[i % palette.length],
          borderWidth: 2, borderDash: name.startsWith('eval_') ? [6, 3] : [], tension: 0,
          pointRadius: points.length > 30 ? 0 : 2.5, pointHitRadius: 12,
        }))},
        options: {
          interaction: {mode: 'nearest', axis: 'x', intersect: false},
          scales: {x: {type: 'linear', ticks: {precision: 0, maxTicksLimit: 7}}, y: {ticks: {maxTicksLimit: 6}}},
          plugins: {legend: {display: lines.length > 1, labels: {boxWidth: 18, boxHeight: 1}}},
        },
      });
    }
  }

  for (const plot of JSON.parse(document.getElementById('plot-data').textContent)) {
    const canvas = addCanvas(document.getElementById('plots'), plot.title, plot.y + ' by ' + plot.x);
    new Chart(canvas, {
      type: 'scatter',
      data: {datasets: plot.series.map((series, i) => ({
        label: series.name, data: series.points.map(([x, y]) => ({x, y})), showLine: series.line,
        borderColor: palette[i % palette.length], backgroundColor: palette[i % palette.length], borderWidth: 2,
        pointRadius: series.line ? 0 : 2.5, pointHitRadius: 12,
      }))},
      options: {
        scales: {x: {title: {display: true, text: plot.x}, ticks: {maxTicksLimit: 7}},
          y: {title: {display: true, text: plot.y}, ticks: {maxTicksLimit: 6}}},
        plugins: {legend: {display: plot.series.length > 1, labels: {boxWidth: 18, boxHeight: 1}}},
      },
    });
  }
})();
