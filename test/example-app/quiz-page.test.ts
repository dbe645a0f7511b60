import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { describeInBrowser, press, seeStatus } from './browser.js';

const seeQuestion = (page: Page, text: string) =>
  page.locator('#question').filter({ hasText: text }).waitFor();

describeInBrowser('the quiz', ({ visit }) => {
  test('shows right and wrong answers, and the count after the last question', async () => {
    const page = await visit('/quiz/');
    await seeStatus(page, 'Connected');
    for (const [question, answer, verdict] of [
      ['Which status', '101', 'Right.'],
      ['Which port', '80', 'Wrong: it is 443.'],
      ['Which close code', ' 1000 ', 'Right.'],
    ] as const) {
      await press(page, 'Next question');
      await seeQuestion(page, question);
      await page.getByLabel('Answer').fill(answer);
      await page.keyboard.press('Enter');
      await page.locator('#verdict').filter({ hasText: verdict }).waitFor();
    }
    await seeStatus(page, 'Closed: done');
    await page.getByText('That was all: 2 of 3 right.').waitFor();
  });

  test('shows that the time is up', async () => {
    const page = await visit('/quiz/?hard');
    await seeStatus(page, 'Connected');
    await press(page, 'Next question');
    await page.locator('#verdict').filter({ hasText: 'Too late: it is 101.' }).waitFor();
  });

  test('has no next question while one is open', async () => {
    const page = await visit('/quiz/');
    const next = page.getByRole('button', { name: 'Next question' });
    await seeStatus(page, 'Connected');
    await next.click();
    // In one look: time may be up before there is another.
    await page.waitForFunction(
      "document.getElementById('next').disabled && document.activeElement.id === 'answer'",
    );
    await seeQuestion(page, 'Which status');
    await press(page, 'Answer');
    await page.locator('#verdict').filter({ hasText: 'it is 101.' }).waitFor();
    expect(await next.isDisabled()).toBe(false);

    await press(page, 'Answer');
    await page.getByRole('alert').filter({ hasText: 'No question is open' }).waitFor();
  });

  test('begins again at once after its last question', async () => {
    const page = await visit('/quiz/?hard');
    await seeStatus(page, 'Connected');
    for (const question of ['Which status', 'Which port']) {
      await press(page, 'Next question');
      await seeQuestion(page, question);
      await page.locator('#verdict').filter({ hasText: 'Too late' }).waitFor();
    }
    // The last one stands there for a second only.
    await press(page, 'Next question');
    await seeQuestion(page, 'That was all: 0 of 3 right.');
    await press(page, 'Again');
    await seeQuestion(page, 'Which status');
    await page.getByRole('button', { name: 'Next question' }).waitFor();
  });

  test('says how long there is', async () => {
    const page = await visit('/quiz/');
    await page.getByText('You have eight seconds').waitFor();
    await page.getByRole('link', { name: 'Too easy?' }).click();
    await page.getByText('You have one second').waitFor();
    expect(await page.getByText('eight seconds').isVisible()).toBe(false);
    await page.getByRole('link', { name: 'Too hard?' }).click();
    await page.getByText('You have eight seconds').waitFor();
  });

  test('shows a warning for a question while it is not connected', async () => {
    const page = await visit('/quiz/');
    await seeStatus(page, 'Connected');
    await press(page, 'Close');
    await seeQuestion(page, 'Press Connect to begin.');
    for (const name of ['Next question', 'Answer']) {
      await press(page, name);
      await page.getByRole('alert').filter({ hasText: 'You are not connected' }).waitFor();
    }
  });
});
